"""One libtorrent session, run in a namespace by the Python of ``.benchmarks/``, which has the module.

    libtorrent_session.py seed TORRENT FOLDER [PEER...]    offers the file once a line comes on stdin
    libtorrent_session.py fetch TORRENT FOLDER [PEER...]   prints ``complete`` once all is on disk

Says ``ready`` when it listens. PEERs are addresses of others, whom it calls.
"""

import sys

import libtorrent as lt

PORT = 6881
SEED_SLOTS = 8
NO_LIMIT = -1
SETTINGS = {
    "listen_interfaces": f"0.0.0.0:{PORT}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "in_enc_policy": int(lt.enc_policy.pe_disabled),
    "out_enc_policy": int(lt.enc_policy.pe_disabled),
    "mixed_mode_algorithm": int(lt.bandwidth_mixed_algo_t.prefer_tcp),
    "connections_limit": 1000,
    "connection_speed": 500,
    "torrent_connect_boost": 200,
    "min_reconnect_time": 1,
    "smooth_connects": False,
    "unchoke_interval": 1,
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification,
}


def main(role: str, torrent: str, folder: str, peers: list[str]) -> None:
    slots = SEED_SLOTS if role == "seed" else NO_LIMIT
    session = lt.session({**SETTINGS, "unchoke_slots_limit": slots})
    await_alert(session, lt.listen_succeeded_alert)
    wanted = lt.add_torrent_params()
    wanted.ti = lt.torrent_info(torrent)
    wanted.save_path = folder
    wanted.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
    if role == "seed":
        wanted.flags |= lt.torrent_flags.seed_mode | lt.torrent_flags.super_seeding
        print("ready", flush=True)
        sys.stdin.readline()
    handle = session.add_torrent(wanted)
    for address in peers:
        handle.connect_peer((address, PORT))
    if role == "fetch":
        print("ready", flush=True)
        await_alert(session, lt.torrent_finished_alert)
        handle.flush_cache()
        await_alert(session, lt.cache_flushed_alert)
        print("complete", flush=True)
    sys.stdin.read()  # until it is killed


def await_alert(session: lt.session, kind: type) -> None:
    """Exits with its words when an error comes first."""
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            if isinstance(alert, kind):
                return
            if isinstance(
                alert, lt.torrent_error_alert | lt.file_error_alert | lt.listen_failed_alert
            ):
                sys.exit(alert.message())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
