"""urllib: a PUT and a GET, plain and over TLS. Arguments: client PORT TLS_PORT"""
import sys
import urllib.request

from support import PAYLOAD, PORT, check, client_tls, ok


def put_and_get(url, context):
    request = urllib.request.Request(url, PAYLOAD, method="PUT")
    with urllib.request.urlopen(request, timeout=20, context=context) as response:
        assert response.status in (201, 204)
    with urllib.request.urlopen(url, timeout=20, context=context) as response:
        check(response.read())


put_and_get(f"http://localhost:{PORT}/urllib", None)
put_and_get(f"https://localhost:{sys.argv[3]}/urllib", client_tls())
ok()
