"""The API's reference: the OpenAPI document and two pages that show it, all served from here."""
