/**
 * The package together with the SDK (`@key0ai/key0`), which this entry imports: for a bundle that
 * holds both. The SDK's error class is named, and everything exported again. Elsewhere
 * `setKey0ErrorClass` does that, also where the runtime cannot load the SDK.
 *
 * @packageDocumentation
 */

export * from "./index.js";
