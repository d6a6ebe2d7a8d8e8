"""WebRTC: a browser's call as a leg of the media plane, one file per concept of the specifications.

``signals`` (what page and leg tell each other), ``sdp``, ``ice``, ``dtls``, ``srtp``, ``demux``; ``peer_connection`` joins
them, ``network`` runs them in a thread of their own, ``leg`` is what the plane drives.
"""
