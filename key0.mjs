import { Key0Error } from "@key0ai/key0";
import { setKey0ErrorClass } from "./index.mjs";

setKey0ErrorClass(Key0Error);

export * from "./index.mjs";
