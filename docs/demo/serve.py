"""Serves this folder on localhost: python docs/demo/serve.py [--port=8000]

Any static file server will do if it sends these headers; without them the page still works, on one
thread. Needs only Python.
"""

import argparse
import functools
import http.server
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent
# WebAssembly threads need shared memory, which browsers only allow to isolated pages. The policy
# prevents the page and its workers from contacting any other host.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",  # revalidate files on each request
    "X-Content-Type-Options": "nosniff",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    # Independent of the system: browsers only run modules and WebAssembly with the correct types.
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
        pass  # no line for each request


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves the browser demo on localhost.")
    parser.add_argument("--port", type=int, default=8000, help="0 for any free port")
    port = parser.parse_args().port
    handler = functools.partial(Handler, directory=f"{FOLDER}")
    try:
        server = http.server.ThreadingHTTPServer(("localhost", port), handler)
    except OSError as error:
        parser.exit(
            1, f"Port {port} cannot be used ({error.strerror}); choose another with --port.\n"
        )
    with server:
        print(
            f"Serving the demo at http://localhost:{server.server_port}/ (press Ctrl+C to stop).",
            flush=True,
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
