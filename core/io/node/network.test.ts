/** On Bun's own `node:net`; the suite of the npm package runs it on Node and Deno. */
import { networkSuite } from "../network-conformance.test-helper.ts";
import { nodeNetwork } from "./network.ts";

networkSuite(nodeNetwork);
