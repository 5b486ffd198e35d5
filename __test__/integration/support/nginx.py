"""Becomes the nginx whose configuration is in the folder of the argument.

nginx cannot listen on port 0. So a free port is bound here, told on stdout, and left to nginx, in
the way in which a running nginx leaves its sockets to the next binary: by the variable NGINX.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import sys

# Debian has nginx where only root's PATH leads.
nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
if not nginx:
    sys.exit("nginx is not installed; `.ci/run system` installs it")

folder, *options = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0), backlog=511)
listener.set_inheritable(True)
port = listener.getsockname()[1]
with open(os.path.join(folder, "listen.conf"), "w") as file:
    file.write(f"listen 127.0.0.1:{port} {' '.join(options)};\n")

# However the tests end, nginx ends with them.
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

print(json.dumps({"port": port}), flush=True)
os.environ["NGINX"] = f"{listener.fileno()};"
os.execv(nginx, ["nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf"])
