"""Keeps a worker's store from growing without end, and what callers said from being kept longer than wanted."""

from __future__ import annotations

import asyncio
import logging

from antiphon.errors import StoreError
from antiphon.models.store import SessionStore

logger = logging.getLogger("antiphon")

LOOK_EVERY = 600.0
"""Seconds."""


async def forget_ended(store: SessionStore, keep: float) -> None:
    """Delete sessions that ended at least ``keep`` seconds ago, now and again, until cancelled."""
    while True:
        try:
            if count := await store.forget(older_than=keep):
                logger.info("sessions that ended long ago are deleted from the store: %d", count)
        except StoreError as error:
            logger.warning("sessions that ended long ago cannot be deleted: %s", error)
        await asyncio.sleep(LOOK_EVERY)
