"""What the shop sells, where from, and who carries it."""

from __future__ import annotations

import numpy as np

METHODS = np.array(["card", "paypal", "bank_transfer"])
METHOD_SHARES = (0.55, 0.30, 0.15)
APPROVAL_HOURS = np.array([(0.01, 0.25), (0.01, 0.17), (4.0, 30.0)])
"""Least and most hours from placing to approval, by method."""

WAREHOUSES = np.array(["BER", "HAM", "LEJ"])
WAREHOUSE_SHARES = (0.50, 0.30, 0.20)

CARRIERS = np.array(["adler", "falke", "kranich", "storch"])
CARRIER_SHARES = (0.40, 0.25, 0.20, 0.15)

EXPRESS, STANDARD, ECONOMY = 0, 1, 2
SERVICES = np.array(["express", "standard", "economy"])
SERVICE_SHARES = np.array([(0.30, 0.70, 0.0), (0.0, 0.65, 0.35), (0.0, 0.60, 0.40), (0.20, 0.50, 0.30)])
"""By carrier."""
TRANSIT_DAYS = np.array([(1, 1), (2, 3), (3, 5)])
"""Least and most working days from hand-over to delivery, by service."""
PROMISED_DAYS = np.array([1, 5, 10])
"""Working days from ship-by to deliver-by, by service."""
SILENT_AFTER = np.array([2, 5, 7])
"""Working days without a scan that each service allows."""

SHIP_BY_HOUR = 18.0
CUT_OFF_HOUR = 14

CITIES = np.array(["Berlin", "Bremen", "Dortmund", "Hamburg", "Hannover", "Köln", "Leipzig", "München", "Stuttgart"])
HUBS = np.array(["Bielefeld hub", "Kassel hub", "Leipzig hub", "Nürnberg hub", "Speyer hub"])
COUNTRIES = np.array(["DE", "AT", "NL"])
COUNTRY_SHARES = (0.90, 0.07, 0.03)

SKUS = 240
SELLERS = 12
CATEGORIES = np.array(["shirts", "shoes", "lamps", "kitchen", "toys", "books"])
SIZED = 2
"""So many of the categories have sizes: the first ones."""
ONE_IN_FINAL_SALE = 25
"""One product in so many is sold as not to be returned."""

REASONS = (
    "size_too_small",
    "size_too_large",
    "color",
    "style",
    "unwanted",
    "better_price",
    "accidental",
    "not_as_described",
    "defective",
    "damaged_in_transit",
    "missing_parts",
    "wrong_item",
)
"""Why things come back; from `not_as_described` on, it is the shop's fault."""
FAULTS = REASONS.index("not_as_described")
REASON_SHARES = np.array(
    [
        (18, 12, 8, 8, 14, 4, 2, 8, 8, 6, 2, 4),
        (18, 12, 8, 8, 14, 4, 2, 0, 0, 0, 0, 0),
        (0, 0, 8, 10, 26, 8, 4, 10, 16, 10, 6, 6),
        (0, 0, 8, 10, 26, 8, 4, 0, 0, 0, 0, 0),
    ],
    dtype=float,
)
"""How often each: of what has sizes, at all and when nothing is wrong with it; and the same of what has none."""
SAID = (
    "A size smaller than it says",
    "Far too wide for me",
    "The colour is not the one in the picture",
    "It does not suit me",
    "I changed my mind",
    "I saw it for less elsewhere",
    "Ordered twice by mistake",
    "It is not what the page describes",
    "It stopped working after a day",
    "The box was crushed and it is broken",
    "A part is missing in the box",
    "This is another product than I ordered",
)
"""What a customer says, by reason."""
REPAID_OPENED = 85
"""Percent of the price that goes back of what was opened, and comes back for no fault of the shop's."""

HOLD_REASONS = np.array(["HIGH_RISK_OF_FRAUD", "INCORRECT_ADDRESS", "AWAITING_PAYMENT"])

HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 12, 13, 12, 11, 11, 12, 14, 16, 19, 22, 20, 13, 6], dtype=float)
"""How busy each hour of the shop's day is."""
WEEKDAYS = np.array([1.15, 1.05, 1.0, 1.0, 0.95, 0.85, 1.10])
"""How busy each day of the week is, from Monday."""
