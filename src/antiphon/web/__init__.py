"""Calls from browsers: the page's socket, its admission, the playground, and routes for web frameworks.

``webrtc`` is the public face; ``calls`` and ``call`` hold what a call is while pages come and go; ``aiohttp_routes`` and
``asgi`` put both into a web application. The sound itself is the leg's (``transport/webrtc``), inside the media plane.
"""
