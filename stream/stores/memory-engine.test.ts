import { engineConformance } from "./engine.test-helper.ts";
import { MemoryEngine } from "./memory-engine.ts";

engineConformance("memory", () => new MemoryEngine());
