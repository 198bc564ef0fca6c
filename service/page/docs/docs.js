// The API's documentation: Swagger UI on our own OpenAPI document.

import { recall } from "../start/storage.js";
import { ROOT } from "../root.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

const ui = window.SwaggerUIBundle({
  url: `${ROOT}schema/openapi.json`,
  domNode: document.getElementById("api"),
  deepLinking: true,
  filter: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null, // it would send the document to another host
  onComplete: () => {
    const token = recall("token"); // the one that the annotator page asked for
    if (token) ui.preauthorizeApiKey("token", token);
  },
});
