"""Send an example message to a demo: python3 send.py pianku-demo/demo.json MESSAGE [RUN]"""

import json, pathlib, socket, sys, urllib.request

demo, run = json.loads(pathlib.Path(sys.argv[1]).read_text()), (sys.argv[3:] or ["100000000001"])[0]
text = pathlib.Path(sys.argv[2]).read_text("utf-8").replace("@RUN@", run)
for name in ("AUTHORITY", "REPOSITORY"):
    text = text.replace(f"@{name}@", demo["assigning_authority" if name == "AUTHORITY" else "repository_oid"])
door, _, body = text.partition("\n")  # the first line says where it goes: MLLP, or POST path type
if door == "MLLP":
    with socket.create_connection(demo["mllp"].rsplit(":", 1)) as mllp:
        mllp.sendall(b"\x0b" + body.replace("\n", "\r").encode() + b"\x1c\r")
        print(mllp.recv(65536).strip(b"\x0b\x1c\r").decode().replace("\r", "\n"))
else:
    path, kind = door.removeprefix("POST ").split(" ", 1)
    octets = body.replace("\n", "\r\n").encode()
    print(urllib.request.urlopen(urllib.request.Request(demo["http"] + path, octets, {"Content-Type": kind})).read().decode())
