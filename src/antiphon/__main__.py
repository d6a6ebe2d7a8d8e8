"""``python -m antiphon`` is the ``antiphon`` command, where the script is not on the path."""

from __future__ import annotations

import sys

from antiphon.cli.main import main

sys.exit(main())
