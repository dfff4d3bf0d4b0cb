# SPDX-License-Identifier: MIT
"""profile.py LIBRARY PROGRAM - what the profiler says of a program that is known.

profile.proto is decoded here from the description of protocol buffers' wire format and
the field numbers of pprof's profile.proto, by nothing of the project's.
"""
import os
import re
import subprocess
import sys
import tempfile

TYPES = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
# By function: blocks and bytes allocated, blocks and bytes live at exit.  What grows is
# allocated again.
EXPECTED = {
    "keep_small": (20000, 2000000, 19990, 1999000),
    "churn_small": (20000, 10000000, 0, 0),
    "hand_over": (5000, 5000000, 0, 0),
    "grow_large": (100, 50 * 450000, 10, 4000000),
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        shift += 7
        at += 1
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of each field of a message: an int, or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            if len(value) != length:
                sys.exit("a field is longer than its message")
        else:
            sys.exit(f"wire type {key & 7} is not of profile.proto")
        yield key >> 3, value


def message(data):
    result = {}
    for number, value in fields(data):
        result.setdefault(number, []).append(value)
    return result


def decode(path):
    """The stacks, as tuples of names, innermost first, and their four values."""
    with open(path, "rb") as file:
        top = message(file.read())
    strings = [s.decode() for s in top[6]]
    if strings[0] != "":
        sys.exit("the first string is not the empty one")
    types = [strings[message(t)[1][0]] for t in top[1]]
    units = [strings[message(t)[2][0]] for t in top[1]]
    if types != TYPES or units != ["count", "bytes"] * 2:
        sys.exit(f"sample types {types} in {units}")
    if strings[top[14][0]] != "inuse_space" or strings[message(top[11][0])[1][0]] != "space":
        sys.exit("the default type or the period's is wrong")
    names = {}
    for data in top[5]:
        function = message(data)
        names[function[1][0]] = strings[function[2][0]]
    mappings = {message(m)[1][0]: message(m) for m in top[3]}
    locations = {}
    for data in top[4]:
        location = message(data)
        address = location[3][0]
        if 2 in location:
            mapping = mappings[location[2][0]]
            if not mapping[2][0] <= address < mapping[3][0]:
                sys.exit("a location is not in its mapping")
        line = location.get(4)
        name = names[message(line[0])[1][0]] if line else hex(address)
        locations[location[1][0]] = name
    samples = []
    for data in top[2]:
        sample = message(data)
        if len(sample[2]) != 4:
            sys.exit("a sample does not have four values")
        samples.append((tuple(locations[i] for i in sample[1]), sample[2]))
    return samples, top[12][0]


def sums(samples):
    """The four values by the function of the program's that the block is of."""
    result = {name: [0] * 4 for name in EXPECTED}
    for whole, values in samples:
        # Compilers name what they specialise `function.constprop.0`.
        stack = [name.partition(".")[0] for name in whole]
        for name in EXPECTED:
            if name in stack:
                if "main" not in stack:
                    sys.exit(f"the stack of {name} does not reach main: {stack}")
                result[name] = [a + b for a, b in zip(result[name], values)]
    return result


def folded(path):
    """Bytes by stack, of lines of the form `a;b;c 123`, as flamegraph.pl reads them."""
    result = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.fullmatch(r"([^;]+(?:;[^;]+)*) (\d+)\n", line)
            if not match:
                sys.exit(f"not a folded stack: {line!r}")
            stack = tuple(reversed(match[1].split(";")))
            result[stack] = result.get(stack, 0) + int(match[2])
    return result


def check_folded(path, samples):
    for suffix, value in ((".folded", 1), (".live.folded", 3)):
        lines = folded(path + suffix)
        if sum(lines.values()) != sum(values[value] for _, values in samples):
            sys.exit(f"{suffix}: the sum is not that of the profile")
        for stack, values in samples:
            if values[value] != 0 and not any(name.startswith("0x") for name in stack) \
                    and stack not in lines:
                sys.exit(f"{suffix}: {stack} is missing")


def run(program, conf, *args):
    env = dict(os.environ, LD_PRELOAD=sys.argv[1], QUIRE_CONF=conf)
    return subprocess.run([program, *args], env=env, check=True, text=True,
                          stderr=subprocess.PIPE).stderr


def profile(folder, rate, *args):
    path = os.path.join(folder, f"rate{rate}")
    errors = run(sys.argv[2], f"profile:1,profile_rate:{rate},profile_file:{path}"
                 + (",profile_signal:12" if args else ""), *args)
    if errors:
        sys.exit(f"unexpected words: {errors}")
    samples, period = decode(path)
    if period != rate:
        sys.exit(f"the period is {period}, not {rate}")
    check_folded(path, samples)
    return sums(samples)


def check_exact(folder):
    for name, values in profile(folder, 1).items():
        if tuple(values) != EXPECTED[name]:
            sys.exit(f"{name}: {values}, not {EXPECTED[name]}")


def check_sampled(folder):
    """With 39 million bytes in gaps of 1000 the error of any sum is some 1 %; what is
    asked for is 20 times that."""
    for name, values in profile(folder, 1000).items():
        for got, want in zip(values, EXPECTED[name]):
            if abs(got - want) > want / 5:
                sys.exit(f"{name}: about {got}, not {want}")


def check_signal(folder):
    """A process that ends without its destructors has written what the signal asked
    for; the next sample after the signal did it."""
    path = os.path.join(folder, "signal.%p")
    env = dict(os.environ, LD_PRELOAD=sys.argv[1],
               QUIRE_CONF=f"profile:1,profile_rate:1,profile_file:{path},"
                          "profile_signal:12")
    child = subprocess.Popen([sys.argv[2], "12"], env=env)
    if child.wait() != 3:
        sys.exit("the program did not end as it was told")
    samples, _ = decode(path.replace("%p", str(child.pid)))
    got = sums(samples)
    if got["keep_small"][0] != 20000 or got["churn_small"][0] > 1:
        sys.exit(f"a profile by signal is wrong: {got}")


def check_leaks():
    text = run(sys.argv[2], "leaks:1")
    total = re.search(r"in use at exit: (\d+) bytes in (\d+) blocks from (\d+) places",
                      text)
    lines = re.findall(r"^  (\d+) bytes in (\d+) blocks from (.*)$", text, re.M)
    if not total or len(lines) != min(20, int(total[3])):
        sys.exit(f"leaks are not named: {text}")
    small = [l for l in lines if "keep_small" in l[2]]
    large = [l for l in lines if "grow_large" in l[2]]
    if [l[:2] for l in small] != [("1999000", "19990")] or \
            sum(int(l[0]) for l in large) != 4000000:
        sys.exit(f"what stays is not named: {text}")
    amounts = [int(l[0]) for l in lines]
    if amounts != sorted(amounts, reverse=True):
        sys.exit("the largest is not the first")


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_exact(folder)
        check_sampled(folder)
        check_signal(folder)
    check_leaks()


main()
