"""Measuring: the real program as processes of its own, beside plain tools over the same bytes.

Figures are taken and returned, never judged. `workplace` is where it happens and goes
away afterwards; `produce`, `consume`, `latency` and `startup` each make a `Report`.
"""
