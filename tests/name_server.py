"""A DNS server on loopback for the tests: it answers TXT questions from a table, and everything else with nothing."""

import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@contextmanager
def name_server(records: Mapping[str, list[str]]) -> Iterator[str]:
    """Serve TXT records by name, and CNAMEs as `-> target`; give the server's `host:port`."""

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            question = dns.message.from_wire(data)
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            name, asked = question.question[0].name, question.question[0].rdtype
            found = records.get(name.to_text(omit_final_dot=True))
            while found and found[0].startswith("-> "):
                target = found[0].removeprefix("-> ")
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"{target}."))
                name, found = dns.name.from_text(target), records.get(target)
            if found and asked == dns.rdatatype.TXT:
                quoted = [" ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200)) for text in found]
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *quoted))
            elif found is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
