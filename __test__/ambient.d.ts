// What has no types of its own: binaries, packages of platforms and of test servers, the SDK.
declare module "*.node";
declare module "#native-*";
declare module "@key0ai/key0" {
  export class Key0Error extends Error {
    readonly code: string;
    readonly httpStatus: number;
  }
}
declare module "oidc-provider";
declare module "express" {
  // biome-ignore lint/suspicious/noExplicitAny: the package has no types
  type Any = any;
  type Handler = (request: Any, response: Any, next: (error?: unknown) => void) => unknown;
  type Route = (path: string, ...handlers: Handler[]) => void;
  interface Application {
    get: Route;
    post: Route;
    listen(port: number, host: string, listening?: () => void): import("node:http").Server;
  }
  const express: { (): Application; json(): Handler };
  export default express;
}
