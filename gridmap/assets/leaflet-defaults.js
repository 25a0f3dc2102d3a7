// Runs right after Leaflet, before any map is made.
(function () {
  // Leaflet guesses its icon folder from a style sheet that may not have arrived yet: say where it is.
  var here = document.currentScript.src;
  L.Icon.Default.imagePath = new URL("vendor/leaflet/images/", here).href;
  // The prefix is an advertisement with a link to another machine; attributions of data stay.
  L.Control.Attribution.prototype.options.prefix = false;
})();
