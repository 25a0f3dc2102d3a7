// Tells Streamlit's front end where its server is; otherwise it tries each level of the page's address.
"use strict";
window.__streamlit = { BACKEND_BASE_URL: new URL("../../", document.currentScript.src).href };
