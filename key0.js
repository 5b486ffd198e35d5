"use strict";

const { Key0Error } = require("@key0ai/key0");
const native = require("./index.js");

native.setKey0ErrorClass(Key0Error);

module.exports = native;
