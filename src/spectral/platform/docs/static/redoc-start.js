// A file of its own, so that the page's content security policy can forbid inline scripts.
Redoc.init(
  "/openapi.json",
  {
    expandResponses: "200,201,202",
    sortRequiredPropsFirst: true,
    theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } },
  },
  document.getElementById("reference"),
);
