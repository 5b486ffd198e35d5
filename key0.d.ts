/**
 * The package together with the SDK (`@key0ai/key0`), which this entry imports: for bundles, and
 * where the SDK cannot be found by itself. Its error class is named, and everything exported again.
 *
 * @packageDocumentation
 */

export * from "./index.js";
