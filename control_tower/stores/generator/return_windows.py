"""Until when a product may come back: thirty days from delivery, and bought for Christmas, until 31 January."""

from __future__ import annotations

import numpy as np

from control_tower.stores.generator.clock import DAY, Days, Mask, Moments, span, within
from control_tower.stores.generator.return_scene import ReturnScene
from control_tower.stores.generator.returned import Returned

SURELY = 31.5
"""Days since delivery that are surely more than thirty."""
LATELY = 5
"""Days in which all the late ones were asked for."""
SEASON = (1031, 1225)
"""Month and day, as one number: around the holiday season, its first and last day and one on either side."""
IN_SEASON = (1102, 1223)


def too_late(scene: ReturnScene, share: float) -> Returned:
    """Asked for in the last five days, surely too late, of orders that came in the last eighty days."""
    now, last_day = scene.clock.now, _last_day(scene)
    late = (scene.delivered <= now - span((LATELY + SURELY) * 24)) & (scene.delivered >= now - 80 * DAY)
    late &= ~_bought(scene, SEASON) | (_bought(scene, IN_SEASON) & (now - LATELY * DAY > last_day + span(36.0)))
    picked = scene.pick(late, share)
    block = scene.send_back(picked, now - within(scene.chance, len(picked), 6.0, LATELY * 24.0))
    block.faultless[:] = True
    return block


def late_in_the_season(scene: ReturnScene, share: float) -> Returned:
    """Asked for more than thirty days after delivery, and in time: bought for Christmas."""
    last = np.minimum(_last_day(scene), scene.clock.now - span(1.0))
    first = scene.delivered + span(SURELY * 24)
    picked = scene.pick(_bought(scene, IN_SEASON) & (first < last - span(1.0)), share)
    part = scene.chance.random(len(picked))
    spread = ((last[picked] - first[picked]) * part).astype("timedelta64[s]")
    return scene.send_back(picked, first[picked] + spread)


def _bought(scene: ReturnScene, days: tuple[int, int]) -> Mask:
    """Whether it was bought between two days of a year."""
    bought = _bought_on(scene)
    month = bought.astype("datetime64[M]")
    day = (month.astype(int) % 12 + 1) * 100 + (bought - month.astype("datetime64[D]")).astype(int) + 1
    return np.asarray((day >= days[0]) & (day <= days[1]))


def _bought_on(scene: ReturnScene) -> Days:
    return scene.clock.day(scene.timeline.placed[scene.order])


def _last_day(scene: ReturnScene) -> Moments:
    """Noon of the 31 January after it was bought."""
    new_year = _bought_on(scene).astype("datetime64[Y]") + 1
    return scene.clock.at(new_year.astype("datetime64[D]") + 30 * DAY, 12.0)
