"""What the app must remember: keys, the budget ledger and the audit log.

Everything lies in `vault/` of the data folder (`home.data_folder()`), for this user's account alone.

| module     | what it is for                                                                                  |
|------------|-------------------------------------------------------------------------------------------------|
| home       | where the data folder is                                                                        |
| store      | `Vault`: open, unlock and lock; make, import, export and delete keys                            |
| provider   | `key_provider(vault)`: key material for the keys that a spec names                              |
| rules      | what a vault requires: a recovery key, dates after which keys are not used; rotation            |
| ledger     | `Ledger`: what was spent of each dataset's privacy budget; `reserve` before steps are taken     |
| audit      | `Audit`: every protective act, in order                                                         |
| backup     | a backup of all of it under a passphrase, and its verified restoration                          |
| keys       | the types of key and their text forms                                                           |
| protection | how the vault key is wrapped: by a device key or by a passphrase                                |
| chain      | the hash-chained log under ledger and audit                                                     |
| rows, last_good, database | the SQLite files: rows, the last good copy, durable transactions                 |

Importing any of these is cheap; `cryptography` is imported when a key is first used.
"""
