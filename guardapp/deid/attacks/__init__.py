"""The release is attacked before it is let go: what an outsider with the original's knowledge could try, tried first.

| module       | the attacker                                                                                   |
|--------------|------------------------------------------------------------------------------------------------|
| linkage      | knows everybody's quasi-identifiers, or a table of the population, and looks for the rows      |
| homogeneity  | finds the group of a person and sees that all its rows say the same                            |
| background   | is in the table, or knows one row of a group, and rules it out                                 |
| dictionary   | hashes or encodes known values and compares                                                    |
| leftovers    | searches all columns for identifiers that were covered elsewhere                               |
| refinement   | narrows generalised cells by other groups and other columns (after arXiv 2509.03350)           |
| differencing | lays an earlier release of the same data beside this one                                       |
| rare         | looks for values and pairs of values that only one row has                                     |

Each is a function of `Evidence` (original, release, policy) and returns an `AttackResult`; none writes anything.
"""
