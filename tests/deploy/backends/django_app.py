"""Django that answers to one host name only, to be run by gunicorn."""
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["shop.example"], MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # it looks at Host
                   ROOT_URLCONF=__name__, SECRET_KEY="only-for-this-test", LOGGING_CONFIG=None)


def hello(request):
    return HttpResponse("hello")


def slow(request):
    time.sleep(0.3)
    return HttpResponse("slow")


urlpatterns = [path("", hello), path("slow", slow)]
application = get_wsgi_application()
