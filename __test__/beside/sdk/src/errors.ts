export type Key0ErrorCode = "TOKEN_ISSUE_FAILED" | "TOKEN_ISSUE_TIMEOUT" | "INTERNAL_ERROR";

export class Key0Error extends Error {
  // Not erasable syntax: nothing that only strips types can run it.
  constructor(
    readonly code: Key0ErrorCode,
    message: string,
    readonly httpStatus: number = 400,
    readonly details?: Record<string, unknown>,
  ) {
    super(message);
    this.name = "Key0Error";
  }

  toJSON(): Record<string, unknown> {
    const { code, message, details } = this;
    return { type: "Error", code, message, ...(details ? { details } : {}) };
  }
}
