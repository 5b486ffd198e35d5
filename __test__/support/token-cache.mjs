// @ts-check
/** A store in memory, as a shared cache of tokens sees one: it records what is asked of it. */

/** @implements {Required<import("../../index.js").TokenCache>} */
export class MemoryStore {
  /** @type {Map<string, string>} */
  values = new Map();
  /** @type {Map<string, string>} Owners by lock. */
  locks = new Map();
  /** @type {{ operation: string, key: string, ttlMs?: number, owner?: string }[]} */
  asked = [];

  /** @param {string} key */
  async get(key) {
    this.asked.push({ operation: "get", key });
    return this.values.get(key);
  }

  /** @param {string} key @param {string} value @param {number} ttlMs */
  async set(key, value, ttlMs) {
    this.asked.push({ operation: "set", key, ttlMs });
    this.values.set(key, value);
  }

  /** @param {string} key @param {string} owner @param {number} ttlMs */
  async lock(key, owner, ttlMs) {
    this.asked.push({ operation: "lock", key, ttlMs, owner });
    if ((this.locks.get(key) ?? owner) !== owner) return false;
    this.locks.set(key, owner);
    return true;
  }

  /** @param {string} key @param {string} owner */
  async unlock(key, owner) {
    this.asked.push({ operation: "unlock", key });
    if (this.locks.get(key) === owner) this.locks.delete(key);
  }

  /** What was asked, by name. */
  get operations() {
    return this.asked.map(({ operation }) => operation);
  }
}
