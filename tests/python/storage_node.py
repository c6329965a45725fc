"""A storage node of Sync, as far as removing a user's data goes, made of other people's libraries.

Its argument is the secret that it shares with the token server. Prints its URL, and then what the token of each request
that it accepted says, a line of JSON each. A request that is not signed with a token's key is answered with 401.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import mohawk
import tokenlib

SECRET = sys.argv[1]


def look_up(token):
    key = tokenlib.get_derived_secret(token, secret=SECRET)
    return {"id": token, "key": key, "algorithm": "sha256"}


class Node(BaseHTTPRequestHandler):
    def do_DELETE(self):
        url = f"http://{self.headers['Host']}{self.path}"
        try:
            # A request without a body has no hash of one.
            receiver = mohawk.Receiver(
                look_up, self.headers["Authorization"], url, "DELETE", accept_untrusted_content=True
            )
            token = receiver.parsed_header["id"]
            claims = tokenlib.parse_token(token, secret=SECRET)
            accepted = self.path == f"/1.5/{claims['uid']}"
        except (mohawk.exc.HawkFail, ValueError):
            accepted = False
        if accepted:
            print(json.dumps(claims), flush=True)
        self.send_response(200 if accepted else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Node)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
