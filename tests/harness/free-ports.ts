/**
 * Ports for servers that have to be told one before they start. They are below those that the system
 * gives to clients: between the choice and the start of a server, a connection of another test would
 * take such a one. Each is this process's until it ends: a name in the system's table of sockets that
 * belong to no file says so to other processes of tests, which look there first.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

const HOST = "127.0.0.1";
/** A broker that is not told otherwise gossips 10,000 above its port: still below those of clients. */
const LOWEST = 10_000;
const PORTS = 10_000;
/** Where the next one is looked for: processes begin at different places. */
let next = Math.floor(Math.random() * PORTS);

/** Ports of this host that nobody listens on, over TCP or UDP, and no other test is given. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tried = 0; tried < PORTS && found.length < count; tried++) {
    const port = LOWEST + next;
    next = (next + 1) % PORTS;
    if (await isReserved(port) && await isFree(port)) found.push(port);
  }
  if (found.length < count) throw new Error("no port of this host is free");
  return found;
}

/** As `freePorts`, one. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no port of this host is free");
  return port;
}

/** Whether the port is this process's from now on. */
function isReserved(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(`\0kstream-test-port-${port}`, () => {
      server.unref();
      resolve(true);
    });
  });
}

async function isFree(port: number): Promise<boolean> {
  return await isFreeForTcp(port) && await isFreeForUdp(port);
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind(port, HOST, () => socket.close(() => resolve(true)));
  });
}
