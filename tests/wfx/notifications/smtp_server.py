"""A mail server: writes each message to a file of the folder, and its port to `port`.

usage: smtp_server.py FOLDER plain|starttls|smtps|login [CERTIFICATE KEY]
"""

import asyncio
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

folder, mode = sys.argv[1:3]
context = None
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])


class Handler:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.strict)
        seen = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.authenticated else None,
            "headers": [[name, str(value)] for name, value in message.items()],
            "body": message.get_content(),
            "defects": [str(defect) for defect in message.defects],
        }
        Handler.count += 1
        path = os.path.join(folder, f"mail-{Handler.count}.json")
        with open(path + ".part", "w") as file:
            json.dump(seen, file)
        os.rename(path + ".part", path)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"wfx" and data.password == b"p:w@d"
    return AuthResult(success=good, auth_data=data)


def protocol():
    return SMTP(
        Handler(),
        tls_context=context if mode in ("starttls", "login") else None,
        require_starttls=mode in ("starttls", "login"),
        authenticator=authenticate if mode == "login" else None,
        auth_required=mode == "login",
    )


async def serve():
    tls = context if mode == "smtps" else None
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    with open(os.path.join(folder, "port.part"), "w") as file:
        file.write(str(port))
    os.rename(os.path.join(folder, "port.part"), os.path.join(folder, "port"))
    # The test has gone.
    while os.getppid() != 1:
        await asyncio.sleep(0.2)


asyncio.run(serve())
