// Everything that runs on every page; each module attaches itself to what it finds.
import "./times.js";
import "./zones.js";
import "./frame.js";
import "./live.js";
import "./log.js";
import "./files.js";
import "./waking.js";
