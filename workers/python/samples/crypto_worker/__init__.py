"""A crypto worker in Python, which can stand beside the Rust one in a pool: the same services, the same messages, the same answers.

| service | does |
|---|---|
| `browserid-verify` | verifies a BrowserID assertion |
| `token-issue` | issues a tokenlib token or a JWT |
| `token-keys` | tells the public halves of signing keys |

`python -m crypto_worker ipc:///run/powerhose/backend` in the folder `samples`, or `powerhose-worker crypto_worker.handle` with a
`--service` for each. Needs `pip install 'powerhose[crypto]'`.
"""

from .handle import SERVICES, handle

__all__ = ["SERVICES", "handle"]
