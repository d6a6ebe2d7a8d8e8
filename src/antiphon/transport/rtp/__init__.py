"""RTP, for every transport that carries it: packets, reports, digits, the jitter buffer, one party's stream both ways.

No sockets and no clock: packets and the time come in, packets go out. ``session.RtpSession`` is the way in.
"""
