"""What a run's TLS lets in and what it refuses, on either side. ``python -I -W error THIS ROOT PAPERS``.

The intruders use the public module, and trust everybody. PAPERS: JSON: CA, certificate and key of each.
"""

import json
import socket as public
import ssl
import sys
import tempfile

sys.path.insert(0, sys.argv[1])

if "public" in sys.argv:
    import fleetpush.lean

    fleetpush.lean.KNOWN_PYTHON = False

from fleetpush.lean.sockets import socket
from fleetpush.net.tls import Contexts, subject_of


def intruder(papers, *, server, tls12=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if papers is not None:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(papers[1] + papers[2])
            file.flush()
            context.load_cert_chain(file.name)

    def wrap(sock):
        bare = public.socket(fileno=sock.detach())
        bare.setblocking(False)
        return context.wrap_socket(bare, server_side=server, do_handshake_on_connect=False)

    return wrap


def met(ours, theirs):
    """Why our side broke off, None if it did not; and both ends."""
    pair = [socket.socket(fileno=sock.detach()) for sock in public.socketpair()]
    for sock in pair:
        sock.setblocking(False)
    mine, other = ours(pair[0]), theirs(pair[1])
    waiting = [mine, other]
    for _ in range(1000):
        for end in list(waiting):
            try:
                end.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError as error:
                if end is mine:
                    other.close()
                    mine.close()
                    return getattr(error, "reason", "") or "", None, None
            waiting.remove(end)
        if mine not in waiting:
            return None, mine, other
    raise AssertionError("they wait for each other")


def check(name, ours, theirs, reason):
    found, mine, other = met(ours, theirs)
    if mine is not None:
        mine.close()
        other.close()
    if found is None or reason not in found:
        raise AssertionError(f"{name}: {found!r} instead of {reason!r}")


def main():
    with open(sys.argv[2]) as file:
        papers = json.load(file)
    own, other = papers["own"], papers["other"]
    contexts = Contexts(*own)
    friend = Contexts(own[0], *papers["friend"][1:])
    for server in (True, False):

        def ours(sock, server=server):
            return contexts.wrap(sock, server=server)

        side = "as server" if server else "as client"
        found, mine, theirs = met(ours, lambda s, there=not server: friend.wrap(s, server=there))
        assert found is None, (side, found)
        assert subject_of(mine) == ("friend", "run"), (side, subject_of(mine))
        mine.close()
        theirs.close()

        def caller(given, server=server, **how):
            return intruder(given, server=not server, **how)

        check(f"another CA {side}", ours, caller(other), "CERTIFICATE_VERIFY_FAILED")
        check(
            f"our own CA's name {side}", ours, caller(papers["twin"]), "CERTIFICATE_VERIFY_FAILED"
        )
        check(f"an old version {side}", ours, caller(papers["friend"], tls12=True), "PROTOCOL")
    nobody = intruder(None, server=False)
    ours = Contexts(*own)
    check("none", lambda s: ours.wrap(s, server=True), nobody, "PEER_DID_NOT_RETURN_A_CERTIFICATE")
    print("who is let in is right")


main()
