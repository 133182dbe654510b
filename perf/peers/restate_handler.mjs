// The workflows that Restate calls: `node restate_handler.mjs PORT MODULES`, where MODULES
// is the folder that the SDK was installed to. Listens on loopback only.
import { execFile } from "node:child_process";
import http2 from "node:http2";
import { createRequire } from "node:module";
import { promisify } from "node:util";

// The SDK needs it; Node has it from 22 on.
Promise.withResolvers ??= function () {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};

const [port, modules] = process.argv.slice(2);
const restate = createRequire(`${modules}/`)("@restatedev/restate-sdk");
const shell = (line) => promisify(execFile)("sh", ["-c", line]);

const peer = restate.service({
  name: "peer",
  handlers: {
    three: async (context) => {
      await context.run("a", () => {});
      await context.run("b", () => {});
      await context.run("c", () => {});
      return "done";
    },
    shell: async (context, line) => {
      await context.run("shell", async () => void (await shell(line)));
      return "done";
    },
  },
});

const handler = restate.createEndpointHandler({ services: [peer] });
http2.createServer(handler).listen(Number(port), "127.0.0.1");
