"""Made-up names: plausible words for roads and waters, none of them looked up anywhere."""

from __future__ import annotations

import numpy as np

from gridmap.demo.chance import stream

_FIRST = "望新永兴平安和泰丰盛嘉瑞清明秀春华庆福康宁德仁义礼智信光景云霞星月江湖海浦环运川源青翠金银锦绣文沪申南北东西中"
_SECOND = (
    "桥塘浜泾港湾渡堰墩宅园林荷莲桃李梅兰竹菊松柏枫柳禾谷麦桑田畈陵岭峰台阁亭轩贤良勤俭淳朴诚谦睦乐欣悦朗晴"
)
_WATER_SECOND = "溪泾浜塘浦渚洲湄涟漪淞泖溇漕澜汀沙石龙凤鹤鹭雁鲤荻苇莲菱"


def _pairs(first: str, second: str, seed: int, purpose: str) -> list[str]:
    pairs = [a + b for a in dict.fromkeys(first) for b in dict.fromkeys(second) if a != b]
    return [pairs[k] for k in stream(seed, purpose).permutation(len(pairs))]


class Words:
    """Deals names out, each once; when the pairs of characters run out, a third character is put before them."""

    def __init__(self, seed: int) -> None:
        self._roads = _pairs(_FIRST, _SECOND, seed, "road words")
        self._waters = _pairs(_FIRST, _WATER_SECOND, seed, "water words")
        self._dealt = {"road": 0, "water": 0}

    def _next(self, kind: str, pool: list[str]) -> str:
        number = self._dealt[kind]
        self._dealt[kind] += 1
        lead, index = divmod(number, len(pool))
        return ("" if lead == 0 else _FIRST[(lead - 1) % len(_FIRST)]) + pool[index]

    def road(self, suffix: str) -> str:
        """A fresh road name, for example 望桥路."""
        return self._next("road", self._roads) + suffix

    def water(self, suffix: str) -> str:
        """A fresh name of a water, for example 清溪港."""
        return self._next("water", self._waters) + suffix


def choose(
    rng: np.random.Generator, options: tuple[str, ...], weights: tuple[float, ...], count: int
) -> list[str]:
    """`count` options drawn with these weights."""
    bounds = np.cumsum(np.array(weights) / sum(weights))
    return [
        options[k]
        for k in np.minimum(np.searchsorted(bounds, rng.random(count), side="right"), len(options) - 1)
    ]
