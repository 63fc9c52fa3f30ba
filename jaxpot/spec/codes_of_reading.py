"""The fault codes of reading: files, TOML, `extends` and overrides."""

from typing import Final

from jaxpot.spec.faults import Code

READING_CODES: Final = (
    # Files.
    Code(
        "file-missing",
        "A spec file does not exist.",
        "The spec, and every file that it extends, is there. A relative `extends` starts from the "
        "folder of the file that says it.",
        'extends = "no_such_base.toml"',
        'extends = "base.toml"',
    ),
    Code(
        "file-is-directory",
        "A folder was given where a spec file is expected.",
        "A spec is one TOML file. `check` takes many of them.",
        "$ jaxpot check specs",
        "$ jaxpot check specs/*.toml",
    ),
    Code(
        "file-unreadable",
        "The operating system refuses to read the file.",
        "Whoever runs the command may read the spec and what it extends. The message ends with "
        "the system's own reason.",
        "$ chmod -r specs/ttt.toml; jaxpot check specs/ttt.toml",
        "$ chmod +r specs/ttt.toml; jaxpot check specs/ttt.toml",
    ),
    Code(
        "file-too-large",
        "The file is far larger than a spec.",
        "A spec is at most a million bytes. Something else was given, most likely: data, or a "
        "checkpoint.",
        "$ jaxpot check data.bin",
        "$ jaxpot check specs/ttt.toml",
    ),
    Code(
        "file-not-utf8",
        "The file is not UTF-8 text.",
        "TOML is UTF-8. A byte-order mark at the start is allowed and ignored.",
        "$ iconv -t latin1 spec.toml > latin1.toml; jaxpot check latin1.toml",
        "$ iconv -f latin1 latin1.toml > spec.toml; jaxpot check spec.toml",
    ),
    # TOML.
    Code(
        "toml-syntax",
        "The file is not TOML.",
        "The parser stopped at this line and column; nothing after it was read, so there may be "
        "more. Strings have quotes, booleans are true and false, a key and its value share a line.",
        "name = ttt",
        'name = "ttt"',
    ),
    Code(
        "toml-duplicate-key",
        "A key or a table is given twice in one file.",
        "TOML gives every key one value and every `[table]` one header. To change a value of a "
        "base file, give it in the file that extends it, or with -s.",
        "seed = 1\nseed = 2",
        "seed = 2",
    ),
    Code(
        "toml-nesting",
        "The file is nested more deeply than a spec can be.",
        "A path from the top to a value has at most 32 parts.",
        "tags = " + "[" * 40 + "]" * 40,
        'tags = ["quickstart"]',
    ),
    Code(
        "toml-integer",
        "An integer does not fit in 64 bits.",
        "TOML integers are -2^63..2^63-1; what a key itself allows is usually less.",
        "seed = 18446744073709551616",
        "seed = 42",
    ),
    # Composition.
    Code(
        "extends-value",
        "`extends` does not name files.",
        "`extends` is a file name or a list of them. It stands at the top of the file, above the "
        "first `[table]`.",
        "extends = 1",
        'extends = ["base.toml"]',
    ),
    Code(
        "extends-cycle",
        "A spec extends itself, directly or by way of other files.",
        "The files that a spec extends lead to an end. The message has the chain.",
        'extends = "spec.toml"',
        'extends = "base.toml"',
    ),
    Code(
        "extends-too-long",
        "A chain of files that extend one another is too long.",
        "At most 16 files extend one another in a row.",
        "$ jaxpot check seventeenth.toml",
        "$ jaxpot check spec.toml",
    ),
    # Overrides.
    Code(
        "override-syntax",
        "What follows -s is not an override.",
        "An override is `path=value`. The path is a TOML key with dots between its parts; a "
        "number picks one element of an array, from 0.",
        "$ jaxpot check spec.toml -s seed",
        "$ jaxpot check spec.toml -s seed=7",
    ),
    Code(
        "override-value",
        "The value of an override is not TOML.",
        "The value is written and typed as it would be in the file. A string has quotes, which "
        "the shell must not take away.",
        "$ jaxpot check spec.toml -s name=ttt",
        "$ jaxpot check spec.toml -s 'name=\"ttt\"'",
    ),
    Code(
        "override-index",
        "An override names an array element that is not there.",
        "Elements count from 0 in the order of the file. An override changes an element; to add "
        "one, give the whole array.",
        "$ jaxpot check spec.toml -s expect.9.max=0.5",
        "$ jaxpot check spec.toml -s expect.0.max=0.5",
    ),
    Code(
        "override-extends",
        "An override tries to change `extends`.",
        "What a spec extends is settled in its file, before any override.",
        "$ jaxpot check spec.toml -s 'extends=\"base.toml\"'",
        "$ jaxpot check spec.toml -s seed=7",
    ),
)
