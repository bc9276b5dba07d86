"""``fleetpush runs verify``: whether a receipt is as it was signed, and by whom."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetpush.cli import flags
from fleetpush.cli.conduct import guarded
from fleetpush.cli.help_page import WHAT
from fleetpush.cli.option import option
from fleetpush.cli.output import Output
from fleetpush.errors import InputError
from fleetpush.report.quantities import hosts

if TYPE_CHECKING:
    from fleetpush.deploy.receipt.document import Summary
    from fleetpush.deploy.receipt.sshsig import Signature

Receipt = Annotated[
    Path,
    typer.Argument(
        metavar="RECEIPT",
        help="The file that --receipt wrote; its signature is RECEIPT.sig beside it.",
        rich_help_panel=WHAT,
    ),
]
AllowedSigners = Annotated[
    Path | None,
    option(
        "--allowed-signers",
        metavar="FILE",
        help="Who may sign, as ssh-keygen(1) has it under ALLOWED SIGNERS.",
        rich_help_panel=WHAT,
    ),
]
Identity = Annotated[
    str | None,
    option(
        "--identity",
        metavar="NAME",
        help="The principal that must have signed. Default: any that FILE names.",
        rich_help_panel=WHAT,
    ),
]
_EXIT_CODES = {"verified": 0, "signer_unknown": 0, "tampered": 3, "signer_not_allowed": 3}


def verify(
    receipt: Receipt,
    *,
    allowed_signers: AllowedSigners = None,
    identity: Identity = None,
    format: flags.Format = "text",
    verbose: flags.Verbose = 0,
) -> None:
    """Check that a receipt is as it was signed, and by whom.

    0: it is intact, and with --allowed-signers one of these has signed it; without, it says that the signer
    is unknown: then anybody may have. 3: it or its signature was changed, or nobody of --allowed-signers
    has signed it. 5: there is no receipt, or no signature, that can be read.
    """
    output = Output(command="runs verify", format=format, verbose=verbose)

    def tell() -> int:
        return _verify(receipt, allowed_signers, identity, output)

    raise typer.Exit(guarded(output, tell))


def _verify(path: Path, allowed: Path | None, identity: str | None, output: Output) -> int:
    # --help does without.
    from fleetpush.deploy.receipt import ENDING, NAMESPACE  # noqa: PLC0415 - --help does without
    from fleetpush.deploy.receipt.document import Summary  # noqa: PLC0415 - as above
    from fleetpush.deploy.receipt.signers import AllowedSigners as Signers  # noqa: PLC0415 - as above
    from fleetpush.deploy.receipt.sshsig import Signature, WrongSignatureError  # noqa: PLC0415 - as above

    if identity is not None and allowed is None:
        raise InputError("--identity is a name of --allowed-signers: give that too")
    text = _read(path)
    signature = Signature.read(_read(Path(f"{path}{ENDING}")).decode(errors="replace"))
    signers = None if allowed is None else Signers.read(allowed)
    try:
        signature.check(text, NAMESPACE)
    except WrongSignatureError as error:
        why = f"NOT INTACT: {path} or its signature was changed ({error})"
        return _tell(output, "tampered", [why], signature)
    summary = Summary.read(text)
    key = f"{signature.kind} {signature.fingerprint}"
    if signers is None:
        head = f"intact, signer unknown: {key} (who that is, --allowed-signers can say)"
        return _tell(output, "signer_unknown", [head, *_said(summary)], signature, summary)
    name = signers.who(signature.blob, NAMESPACE, identity)
    if name is None:
        whom = f"{identity!r}" if identity is not None else "anybody"
        head = f"NOT ALLOWED: intact, but {key} is not a key of {whom} in {allowed}"
        return _tell(output, "signer_not_allowed", [head], signature, summary)
    head = f"intact, signed by {name}: {key}"
    return _tell(output, "verified", [head, *_said(summary)], signature, summary, signer=name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", slug="bad_receipt") from error


def _said(summary: "Summary") -> list[str]:
    proofs = ", ".join(f"{count:,} by {how}" for how, count in sorted(summary.proofs.items()))
    how = f" ({proofs})" if proofs else ""
    return [
        f"run {summary.run_id} of {summary.operator}, ended {summary.ended}",
        f"{summary.name}: {summary.good:,} of {hosts(summary.hosts)} verified{how}, digest {summary.digest}",
        "what it says of hosts is what they told the command that ran: no host has signed anything",
    ]


def _tell(
    output: Output,
    verdict: str,
    lines: list[str],
    signature: "Signature",
    summary: "Summary | None" = None,
    *,
    signer: str | None = None,
) -> int:
    figures: dict[str, Any] = {
        "verdict": verdict,
        "signer": signer,
        "key": {"kind": signature.kind, "fingerprint": signature.fingerprint},
        "run_id": summary.run_id if summary else None,
        "digest": summary.digest if summary else None,
        "hosts": {"total": summary.hosts, "verified": summary.good} if summary else None,
    }
    output.tell(figures, lines, _EXIT_CODES[verdict])
    return _EXIT_CODES[verdict]
