#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turn the Lua scripts into one C file: common.lua stands before each of the others.

usage: embed.py OUTPUT common.lua SCRIPT.lua...

The table's order is the order of the arguments; scripts.h has the same order in enum script.
"""
import os
import sys


def bytes_of(text):
    """A string literal may have 4095 characters only, an array of bytes any number."""
    numbers = [str(byte) for byte in text.encode("ascii")] + ["0"]
    rows = [", ".join(numbers[at : at + 24]) for at in range(0, len(numbers), 24)]
    return "\t" + ",\n\t".join(rows)


def main():
    output, common, scripts = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(common, encoding="ascii") as file:
        beginning = file.read()
    names = [os.path.splitext(os.path.basename(path))[0] for path in scripts]
    with open(output, "w", encoding="ascii") as out:
        out.write("/* Made by embed.py out of the scripts beside it. */\n")
        out.write('#include "controlplane/redis/scripts.h"\n\n')
        for name, path in zip(names, scripts):
            with open(path, encoding="ascii") as file:
                source = beginning + file.read()
            out.write("static const char %s[] = {\n%s\n};\n\n" % (name, bytes_of(source)))
        out.write("const struct script_source script_sources[SCRIPT_COUNT] = {\n")
        for name in names:
            out.write('\t[SCRIPT_%s] = { "%s", %s },\n' % (name.upper(), name, name))
        out.write("};\n")


if __name__ == "__main__":
    main()
