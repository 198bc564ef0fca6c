"""The annotator page: one HTML document, one stylesheet and ES modules, served as they are by `service.routes.page`."""
