export * from "./key0.js";
