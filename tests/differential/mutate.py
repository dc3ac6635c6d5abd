"""Questions about addresses and block lists, made from a seed: valid texts, and texts with something wrong in them."""

import ipaddress
import json
import pathlib

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "core" / "net"

CHARACTERS = "0123456789abcdefABCDEF.:%/-xg \t\n\r\x01\x7f\u00e9\uff11\u0661\u3002"
GROUPS = ["", "0", "00", "0000", "1", "01", "9", "10", "99", "099", "100", "199", "249", "250", "255", "256", "260", "300", "999",
          "1000", "65535", "65536", "a", "f", "ff", "fff", "ffff", "FFFF", "0fff", "00000", "10000", "g", "0x1", "+1", "-1"]
ZONES = ["%", "%0", "%1", "%lo", "%eth0", "%%", "%a%b", "%-", "%_", "%.", "%:", "%/64", "% ", "%\u00e9", "%eth0:1.2-3", "%" + "z" * 40]
DECORATIONS = ["[{}]", "{}/64", "{}/0", "{}:80", "[{}]:80", " {}", "{} ", "{}.", ":{}", "{}:", "0{}", "{}0", "{}#", "\"{}\""]
PREFIXES_WRONG = ["-1", "1.5", "33", "129", "NaN", "Infinity", "-Infinity", "255", "256", "4294967296", "2147483648", "1e1", "0.0"]
PORTS = ["-", "0", "1", "80", "65535", "65536", "-1", "1.5", "NaN", "Infinity"]
FLOWLABELS = ["-", "-", "-", "0", "1", "1048575", "4294967296", "-1", "1.5", "NaN"]  # above 1048575 Node aborts
FAMILIES = ["-", "ipv4", "ipv6", "ipv6", "IPv6", "IPV4", "ip", "", "ipv5", "ipv4 "]

MAPPED = 0xFFFF << 32


def known_texts():
    """Every text of the vectors, right or wrong."""
    cases = json.loads((VECTORS / "address" / "isip.json").read_text())["cases"]
    texts = {case["in"] for case in cases if "in" in case and len(case["in"]) < 200}
    scenarios = json.loads((VECTORS / "block_list" / "blocklist.json").read_text())["scenarios"]
    steps = [step for scenario in scenarios for step in scenario["ops"] + scenario["checks"]]
    texts.update(step[key] for step in steps for key in ("address", "start", "end", "network")
                 if isinstance(step.get(key), str))
    return sorted(texts)


def word(text):
    return "x" + text.encode().hex()


# ---- texts ----

def spell4(value):
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def spell6(random, value):
    """One of the ways in which an IPv6 address may be written."""
    form = random.randrange(7)
    if form == 0:
        return ipaddress.IPv6Address(value).exploded
    if form == 6:
        return ipaddress.IPv6Address(value).exploded[:30] + spell4(value & 0xFFFFFFFF)
    if form == 1:
        return ":".join(f"{value >> shift & 0xffff:x}" for shift in range(112, -1, -16))
    text = str(ipaddress.IPv6Address(value))
    if form == 2:
        return text.upper()
    if form == 3 or value >> 32 == 0xFFFF:
        head = ipaddress.IPv6Address(value >> 32 << 32 | 0x10001)
        return str(head).rpartition(":")[0].rpartition(":")[0] + ":" + spell4(value & 0xFFFFFFFF)
    return text


class Mutator:
    def __init__(self, random):
        self.random, self.known = random, known_texts()
        self.changes = [self.replace, self.insert, self.delete, self.double, self.swap, self.group, self.splice, self.zone,
                        self.decorate, self.compress, self.cut, self.case, self.nul]

    def replace(self, text):
        at = self.random.randrange(len(text) + 1)
        return text[:at] + self.random.choice(CHARACTERS) + text[at + 1:]

    def insert(self, text):
        at = self.random.randrange(len(text) + 1)
        return text[:at] + self.random.choice(CHARACTERS) + text[at:]

    def delete(self, text):
        at = self.random.randrange(len(text) + 1)
        return text[:at] + text[at + 1:]

    def double(self, text):
        at, end = sorted(self.random.randrange(len(text) + 1) for _ in range(2))
        return text[:end] + text[at:end] + text[end:]

    def swap(self, text):
        at = self.random.randrange(len(text) + 1)
        return text[:at] + text[at + 1:at + 2] + text[at:at + 1] + text[at + 2:]

    def group(self, text):
        mark = "." if "." in text and self.random.random() < 0.5 else ":"
        groups = text.split(mark)
        groups[self.random.randrange(len(groups))] = self.random.choice(GROUPS)
        return mark.join(groups)

    def splice(self, text):
        other = self.random.choice(self.known)
        return text[:self.random.randrange(len(text) + 1)] + other[self.random.randrange(len(other) + 1):]

    def zone(self, text):
        return text + self.random.choice(ZONES)

    def decorate(self, text):
        return self.random.choice(DECORATIONS).format(text)

    def compress(self, text):
        at = self.random.randrange(len(text) + 1)
        return text.replace("::", ":", 1) if self.random.random() < 0.3 else text[:at] + "::" + text[at:]

    def cut(self, text):
        at = self.random.randrange(len(text) + 1)
        return text[:at] if self.random.random() < 0.7 else text[at:]

    def case(self, text):
        return text.swapcase()

    def nul(self, text):
        if self.random.random() > 0.1:
            return self.replace(text)
        at = self.random.randrange(len(text) + 1)
        return text[:at] + "\0" + text[at:]

    def mutate(self, text):
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 5))):
            text = self.random.choice(self.changes)(text)
        return text

    def fresh(self):
        """A valid text of either family."""
        if self.random.random() < 0.5:
            return spell4(self.random.getrandbits(32))
        return spell6(self.random, interesting6(self.random))

    def text(self):
        base = self.random.choice(self.known) if self.random.random() < 0.5 else self.fresh()
        return base if self.random.random() < 0.1 else self.mutate(base)


def interesting6(random):
    """An IPv6 address with zeroes in it, or one that has something to do with IPv4."""
    form = random.randrange(8)
    if form == 0:
        return MAPPED | random.getrandbits(32)
    if form == 1:
        return random.getrandbits(32)
    value = random.getrandbits(128)
    for shift in range(0, 128, 16):
        if random.random() < 0.4:
            value &= ~(0xFFFF << shift)
    return value


# ---- questions ----

class Neighbourhood:
    """Addresses so near to one another that rules and checks meet."""

    def __init__(self, random):
        self.random = random
        self.base4 = random.getrandbits(32)
        self.base6 = interesting6(random)

    def near(self, base, bits):
        value = base ^ self.random.getrandbits(self.random.choice((1, 2, 4, 8, bits)))
        return min(max(value + self.random.choice((-1, 0, 0, 1)), 0), (1 << bits) - 1)

    def address(self):
        """Family and text; now and then the one as the other's mapped form."""
        if self.random.random() < 0.5:
            value = self.near(self.base4, 32)
            return ("4", spell4(value)) if self.random.random() < 0.6 else ("6", spell6(self.random, MAPPED | value))
        return "6", spell6(self.random, self.near(self.base6, 128))


class Questions:
    def __init__(self, random):
        self.random, self.mutator = random, Mutator(random)

    def texts(self):
        """One text, to all that reads texts."""
        text = word(self.mutator.text())
        pick = self.random.choice
        family = pick(FAMILIES)
        return [f"ip {text}", f"address 4 {text}", f"address 6 {text}", f"check {pick('46')} {text}",
                f"socketaddress {family if family == '-' else word(family)} {text} {pick(PORTS)} {pick(FLOWLABELS)}", "new"]

    def address(self, near):
        family, text = near.address()
        if self.random.random() < 0.04:
            text = self.mutator.mutate(text)
        return f"{family} {word(text)}"

    def rule(self, near):
        kind = self.random.randrange(3)
        if kind == 0:
            return f"address {self.address(near)}"
        if kind == 1:
            return f"range {self.address(near)} {self.address(near)}"
        address = self.address(near)
        widest = 32 if address[0] == "4" else 128
        right = self.random.choice((self.random.randrange(widest + 1), widest - self.random.randrange(9)))
        return f"subnet {address} {self.random.choice(PREFIXES_WRONG) if self.random.random() < 0.1 else right}"

    def list(self):
        """A block list with a few rules, and checks between them."""
        near, lines = Neighbourhood(self.random), ["new"]
        for _ in range(self.random.randrange(1, 8)):
            lines.append(self.rule(near))
            lines += [f"check {self.address(near)}" for _ in range(self.random.randrange(4))]
        lines.append("rules")
        return lines

    def some(self):
        return self.texts() if self.random.random() < 0.6 else self.list()
