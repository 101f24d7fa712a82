"""Serves this folder to this machine only: python docs/demo/serve.py [--port=8000]

Any server of static files does, if it sends these headers; without them all still works, on one
thread. Needs nothing but Python.
"""

import argparse
import functools
import http.server
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent
# Threads of WebAssembly share memory, which browsers allow only to isolated pages. The policy bars
# page and workers from asking, or telling, any other host anything.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",  # ask each time whether a file has changed
    "X-Content-Type-Options": "nosniff",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    # Whatever the system believes of them: modules and WebAssembly run only under their own types.
    extensions_map = {  # noqa: RUF012
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".jpg": "image/jpeg",
        "": "application/octet-stream",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass  # a line for each file tells nobody anything


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the browser demo to this machine only.")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    port = parser.parse_args().port
    handler = functools.partial(Handler, directory=f"{FOLDER}")
    try:
        server = http.server.ThreadingHTTPServer(("localhost", port), handler)
    except OSError as error:
        parser.exit(
            1, f"Port {port} cannot be used ({error.strerror}); choose another by --port.\n"
        )
    with server:
        print(f"The demo is at http://localhost:{server.server_port}/, until Ctrl+C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
