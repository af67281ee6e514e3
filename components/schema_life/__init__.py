"""The life of a schema: it is drafted from many spans, compared as it changes, and amended after a halt.

    observed.py   what many spans hold, with or without a schema to read them by
    limits.py     how far the next span may go, from how far those went
    infer.py      a draft in words and bounds: `sluice schema infer`
    diff.py       what changed, and whether it tightens or loosens: `sluice schema diff`
    versions.py   the schema as it stood in a file, at a git revision, for a run
    suggest.py    the least change that accepts a refused span: `sluice schema suggest`
    pbtxt.py      edits that keep a file's comments and layout

Reading a schema for the steps is `components.schema`.
"""
