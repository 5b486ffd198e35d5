// @ts-check
"use strict";

const { existsSync } = require("node:fs");
const { join } = require("node:path");

/**
 * The folder where a package manager has put a package for whoever owns this `require`. Looked for
 * by hand, since Bun asks a registry for a name that it does not find, in `resolve` too.
 *
 * @param {string} name
 * @param {NodeJS.Require} owned
 */
function folderOf(name, owned) {
  const places = owned.resolve.paths(name) ?? [];
  const folders = places.map((place) => join(place, name));
  return folders.find((folder) => existsSync(join(folder, "package.json")));
}

module.exports = { folderOf };
