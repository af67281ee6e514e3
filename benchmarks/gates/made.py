"""Tables of our own making: seasons, drift, holidays, and changes on days that are known.

Each is a year of days drawn with a fixed seed. What changes, and on which day, is in `changes`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.gates.cut import Cut, Reader, cut

FIRST = np.datetime64("2023-01-02")  # a Monday
DAYS = 300
SYLLABLES = [
    *("ka", "ro", "mi", "te", "lu", "san", "ber", "dor", "win"),
    *("hel", "mar", "tin", "po", "ley", "fer", "gus", "ana", "eli"),
]
Column = np.ndarray | list


def words(rng: np.random.Generator, count: int, least: int = 2, most: int = 3) -> np.ndarray:
    """Return `count` different made-up words."""
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(rng.choice(SYLLABLES, rng.integers(least, most + 1)))] = None
    return np.array(list(found))


def zipf(rng: np.random.Generator, values: np.ndarray, rows: int, power: float = 1.1) -> np.ndarray:
    """Draw values so that the n-th is 1 / n ** power as frequent as the first."""
    weight = 1 / np.arange(1, len(values) + 1) ** power
    return rng.choice(values, rows, p=weight / weight.sum())


def rows_of(rng: np.random.Generator, day: int, level: float, weekend: float) -> int:
    """Return how many rows a day has: by weekday, by season, and ten per cent of chance."""
    season = 1 + 0.15 * np.sin(2 * np.pi * day / 365)
    weekday = weekend if day % 7 >= 5 else 1 + 0.05 * (day % 7 == 0)
    return max(8, rng.poisson(level * season * weekday * rng.lognormal(0, 0.06)))


def days(each: Callable[[int], dict[str, Column]], changes: dict[int, str], **more: object) -> Cut:
    """Return the days of a table; `changes` has what changes on which day (0 is the first)."""
    import pandas as pd

    frames = []
    for day in range(DAYS):
        frame = pd.DataFrame(each(day))
        frame["when"] = FIRST + np.timedelta64(day, "D")
        frames.append(frame)
    frame = pd.concat(frames, ignore_index=True)
    changed = [str(FIRST + np.timedelta64(day, "D")) for day in changes]
    return cut(frame, frame["when"], "day", drop=["when"], changes=changed, **more)


def shop_orders() -> Cut:
    rng = np.random.default_rng(11)
    sku = np.array(
        [f"{w.upper()}-{k}" for w, k in zip(words(rng, 140), range(10, 150), strict=True)]
    )
    price = np.round(rng.lognormal(3, 0.9, 140), 2)
    city, people = np.char.title(words(rng, 70)), words(rng, 3000)
    count = 0

    def day(n: int) -> dict[str, Column]:
        nonlocal count
        black_friday = 3.2 if n in (200, 201) else 1.0
        rows = rows_of(rng, n, 220 * (1 + n / 1500) * black_friday, weekend=1.3)
        item = zipf(rng, np.arange(90 + n // 6), rows, 0.8)
        number = count + np.arange(rows)
        count += rows
        paid = ["card", "invoice", "transfer", "voucher"] + ["wallet"] * (n >= 150)
        share = np.array([0.6, 0.2, 0.15, 0.05] + [0.25] * (n >= 150))
        quantity = 1 + rng.poisson(0.4, rows)
        discount = np.where(rng.random(rows) < (0.12 if black_friday == 1 else 0.7), 0.1, 0.0)
        unit = np.round(price[item] * (1.05 if n >= 230 else 1.0), 2)
        return {
            "order_id": [f"W-{k:07d}" for k in 410_000 + number],
            "email": [
                f"{p}{k % 90}@{d}.example"
                for p, d, k in zip(
                    rng.choice(people, rows), zipf(rng, people[:9], rows), number, strict=True
                )
            ],
            "sku": sku[item],
            "quantity": quantity,
            "unit_price": unit,
            "discount": discount,
            "amount": np.round(quantity * unit * (1 - discount), 2),
            "city": zipf(rng, city, rows),
            "postcode": [f"{k:05d}" for k in zipf(rng, np.arange(1_067, 99_998, 230), rows, 0.5)],
            "payment": rng.choice(paid, rows, p=share / share.sum()),
            "coupon": np.where(discount > 0, rng.choice(["HELLO10", "SUN10"], rows), None),
        }

    changes = {150: "a wallet to pay with", 200: "sale", 201: "sale", 202: "after", 230: "prices"}
    return days(day, changes)


def sensor_log() -> Cut:
    rng = np.random.default_rng(12)
    devices = np.array([f"dev-{k:03x}" for k in rng.choice(4096, 48, replace=False)])
    bias, worn = rng.normal(0, 1.2, 48), rng.uniform(0.5, 1.5, 48)

    def day(n: int) -> dict[str, Column]:
        grid = np.repeat(np.arange(48), 8)
        hour = np.tile(np.arange(0, 24, 3), 48)
        here = rng.random(len(grid)) > 0.02
        grid, hour = grid[here], hour[here]
        rows = len(grid)
        weather = 11 - 9 * np.cos(2 * np.pi * n / 365) + 2.5 * np.sin(n * 1.7) * np.cos(n / 3.1)
        celsius = weather + 3.5 * np.sin((hour - 9) / 24 * 2 * np.pi) + bias[grid]
        celsius = celsius + rng.normal(0, 0.6, rows) - (0.8 if n >= 180 else 0)
        volt = 3.9 - n / 900 * worn[grid] + rng.normal(0, 0.015, rows)
        share = np.clip((n - 120) / 40, 0, 1) * 0.97
        return {
            "device": devices[grid],
            "hour": hour,
            "temperature": np.round(celsius, 2),
            "humidity": np.round(np.clip(72 - 1.1 * celsius + rng.normal(0, 5, rows), 5, 100), 1),
            "pressure": np.round(1013 + 9 * np.sin(n / 2.9) + rng.normal(0, 0.7, rows), 1),
            "battery": np.where(rng.random(rows) < 0.01, np.nan, np.round(volt, 3)),
            "signal": -60 - rng.gamma(3, 5, rows).astype(int),
            "firmware": np.where(rng.random(rows) < share, "2.4.0", "2.3.7"),
            "status": rng.choice(["OK", "OK_LOW_SIGNAL", "RETRY"], rows, p=[0.93, 0.05, 0.02]),
        }

    return days(day, {120: "new firmware begins to roll out", 180: "sensors calibrated anew"})


def ad_clicks() -> Cut:
    rng = np.random.default_rng(13)
    sites, pages = words(rng, 40), words(rng, 200)
    campaign = np.array([f"cmp_{word}_{k}" for k, word in enumerate(words(rng, 60))])
    agents = np.array([
        f"Mozilla/5.0 ({system}) {browser}/{version}.0"
        for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7",
                       "Linux; Android 13; Pixel 7", "iPhone; CPU iPhone OS 16_5 like Mac OS X")
        for browser in ("Chrome", "Safari", "Firefox") for version in range(110, 118)
    ])  # fmt: skip
    order = rng.permutation(len(agents))

    def day(n: int) -> dict[str, Column]:
        rows = rows_of(rng, n, 420, weekend=0.8)
        live = campaign[n // 10 : n // 10 + 18]
        bid = rng.lognormal(-0.7, 0.8, rows) * (1.25 if n >= 190 else 1)
        device = rng.choice(["mobile", "desktop", "tablet"], rows, p=[0.6, 0.34, 0.06])
        position = 1 + rng.geometric(0.45, rows)
        clicked = rng.random(rows) < 0.35 / position
        return {
            "url": [
                f"/{a}/{b}?p={k}"
                for a, b, k in zip(
                    zipf(rng, sites, rows), zipf(rng, pages, rows), position, strict=True
                )
            ],
            "user_agent": zipf(rng, agents[order], rows, 0.9),
            "campaign": zipf(rng, live, rows, 0.6),
            "device": device,
            "country": zipf(rng, np.array(["DE", "AT", "CH", "FR", "NL", "PL", "IT", "ES"]), rows),
            "hour": np.clip(rng.normal(15, 4.5, rows), 0, 23).astype(int),
            "position": position,
            "bid": np.round(bid, 4),
            "cost": np.where(clicked, np.round(bid * rng.uniform(0.5, 1, rows), 4), 0.0),
            "clicked": clicked,
            "dwell_s": np.where(clicked, np.round(rng.lognormal(2.6, 1.2, rows), 1), np.nan),
        }

    return days(day, {190: "dearer auctions"})


def sign_ups() -> Cut:
    rng = np.random.default_rng(14)
    given, family = np.char.title(words(rng, 400)), np.char.title(words(rng, 900))
    mail = np.array(["gmail.com", "outlook.com", "web.de", "gmx.net", "yahoo.com", "proton.me"])
    told = words(rng, 500, 1, 4)
    accents = [str.maketrans("", ""), str.maketrans("aou", "äöü"), str.maketrans("e", "é")]

    def day(n: int) -> dict[str, Column]:
        rows = rows_of(rng, n, 110, weekend=0.55)
        abroad = rng.random(rows) < (0.3 if n >= 170 else 0.04)
        first, last = rng.choice(given, rows), rng.choice(family, rows)
        accent = rng.choice(3, rows, p=[0.8, 0.14, 0.06])
        codes = rng.choice(list("ABCDEFGH"), (rows, 2))
        return {
            "id": [rng.bytes(8).hex() for _ in range(rows)],
            "name": [
                f"{a} {b}".translate(accents[c])
                for a, b, c in zip(first, last, accent, strict=True)
            ],
            "email": [
                f"{a.lower()}.{b.lower()}@{m}"
                for a, b, m in zip(first, last, zipf(rng, mail, rows, 0.7), strict=True)
            ],
            "postcode": [
                f"{a}{b}{k % 20 + 1} {k % 9}{b}{a}" if out else f"{k:05d}"
                for (a, b), k, out in zip(
                    codes, rng.integers(1067, 99998, rows), abroad, strict=True
                )
            ],
            "locale": np.where(
                abroad, "en-GB", zipf(rng, np.array(["de-DE", "de-AT", "fr-FR"]), rows)
            ),
            "plan": rng.choice(["free", "basic", "team"], rows, p=[0.74, 0.2, 0.06]),
            "age": np.where(
                rng.random(rows) < 0.2, np.nan, np.clip(rng.gamma(9, 4, rows), 16, 95) // 1
            ),
            "referrer": np.where(rng.random(rows) < 0.3, None, zipf(rng, told[:30], rows)),
            "message": [" ".join(rng.choice(told, k)) if k else None for k in rng.poisson(3, rows)],
            "newsletter": rng.random(rows) < 0.4,
        }

    return days(day, {170: "a second country"})


def payments() -> Cut:
    rng = np.random.default_rng(15)
    merchants = np.char.upper(words(rng, 600))
    rate = np.cumsum(rng.normal(0, 0.004, DAYS)) + np.log(1.08)

    def day(n: int) -> dict[str, Column]:
        month_end = 1.8 if n % 30 in (28, 29) else 1.0
        holiday = 0.25 if n in (96, 97, 298, 299) else 1.0
        rows = rows_of(rng, n, 320 * month_end * holiday, weekend=0.35)
        amount = np.round(5 * (1 + rng.pareto(1.3, rows)), 2)
        fee = np.round(amount * (0.016 if n >= 210 else 0.014) + 0.3, 2)
        foreign = rng.random(rows) < 0.18
        return {
            "iban": [
                f"DE{a:02d}{b:018d}"
                for a, b in zip(
                    rng.integers(2, 98, rows), rng.integers(10**16, 10**17, rows), strict=True
                )
            ],
            "merchant": zipf(rng, merchants, rows, 0.9),
            "category": zipf(
                rng, np.array(["5411", "5812", "5541", "5999", "4111", "7011"]), rows, 0.8
            ),
            "currency": np.where(foreign, rng.choice(["USD", "GBP", "CHF"], rows), "EUR"),
            "rate": np.where(
                foreign, np.round(np.exp(rate[n]) + rng.normal(0, 0.001, rows), 4), 1.0
            ),
            "amount": amount,
            "fee": fee,
            "balance": np.round(rng.normal(1800, 2500, rows) - amount, 2),
            "approved": rng.random(rows) < 0.965,
            "attempts": rng.geometric(0.93, rows),
        }

    return days(day, {96: "holiday", 97: "holiday", 210: "fees", 298: "holiday", 299: "holiday"})


def _made(name: str, read: Callable[[], Cut]) -> Reader:
    return Reader(f"made {name}", read, lambda: True)


READERS = {
    name: _made(name, read)
    for name, read in {
        "shop-orders": shop_orders,
        "sensor-log": sensor_log,
        "ad-clicks": ad_clicks,
        "sign-ups": sign_ups,
        "payments": payments,
    }.items()
}
