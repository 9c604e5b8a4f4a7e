"""Programs that try to get out of the sandbox, and what becomes of them. They only ever run inside one.

`catalogue.ATTACKS` is the list, `suite.run` tries it against a sandbox, `table` prints what happened.
"""
