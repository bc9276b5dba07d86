"""The pure core: peer, tracker, plans and the wire format. Events and now in, effects out."""
