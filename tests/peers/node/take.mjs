// Takes messages by node-hl7-server on the port that is the first argument, acknowledges each with AA, or with the code
// that the second argument names for messages that hold the third, and prints what that library reads of each, a line of
// JSON for each: {"type": "MDM^T02^MDM_T02", "id": "0A1B", "person": "HTEST1", "text": "Status: ..."}.

import { Server } from "node-hl7-server";

const [port, code, held] = process.argv.slice(2);
const server = new Server({ bindAddress: "127.0.0.1" });

function read(message) {
  const text = (path) => message.get(path).toString();
  return { type: text("MSH.9"), id: text("MSH.10"), person: text("PID.3.1"), family: text("PID.5.1"), raw: message.toString() };
}

const inbound = server.createInbound({ port: Number(port) }, async (req, res) => {
  const message = req.getMessage();
  process.stdout.write(`${JSON.stringify(read(message))}\n`);
  await res.sendResponse(held && message.toString().includes(held) ? code : "AA");
});
inbound.on("listen", () => process.stdout.write("ready\n"));
