/** A stand-in for the SDK, written from the contract: its error class, its engine's rules. */
import { counted } from "./loads.js";

export { createKey0 } from "./engine.js";
export { Key0Error, type Key0ErrorCode } from "./errors.js";

counted();
